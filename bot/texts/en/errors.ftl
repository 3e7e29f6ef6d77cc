# One sentence per refusal: what is so, and when or how to come back. At most 200 characters.
error-rejected = This is not possible right now.
error-queue-full = The queue is full: { $size } pictures are waiting. Try again in { DURATION($wait_s) }.
error-too-soon = That was quick! You can ask for the next picture in { DURATION($wait_s) }.
error-too-many-at-once =
    { $limit ->
        [one] You already have a picture on its way. Wait for it, or cancel it with /queue.
       *[other] You already have { $limit } pictures on their way. Wait for one, or cancel one with /queue.
    }
error-daily-quota-spent = This takes { $cost } points, and { $left } of your { $limit } a day are left. New ones come in { DURATION($wait_s) }.
error-no-such-job = This picture is not known any more.

error-generation-failed = Something broke on our side while drawing. Please try again.
error-cancelled = Cancelled.
error-out-of-memory = This picture is too large for the machine. Try fewer pictures at once or a lower quality.
error-worker-died = This request brought the drawing program down twice, so I will not try it again. It cost you nothing.
error-unsupported = The model on this machine cannot do that.
error-weights-missing = The model's files are missing or damaged on this machine. Its owner has to look at it; it cost you nothing.
error-device-missing = The machine that draws is not ready. Its owner has to look at it; it cost you nothing.

error-unexpected = Something broke on our side. Please try again.
error-interrupted = I was restarted while doing this. Please press once more.

error-option-unknown = I do not know the option { $option }. The options are { $known }.
error-option-empty = { $option } needs a value. /help says which.
error-option-no-styles = The model here knows no styles. Please leave { $option } out.
error-option-ratio = { $option } takes one of { $known }, not “{ $value }”.
error-option-quality = { $option } takes one of { $known } here, not “{ $value }”.
error-option-step = { $option } takes one of { $known }, not “{ $value }”.
error-option-style = { $option } takes the name of a style, such as { $known }, not “{ $value }”. All of them: /help
error-option-number = { $option } takes a whole number from { $lowest } to { $highest }, not “{ $value }”.
error-option-no = { $option } takes what to leave out, from 1 to { $limit } characters.
error-prompt-empty = Tell me what to draw, from 1 to { $limit } characters.
error-prompt-too-long = That is { $length } characters; I read at most { $limit }. Please make it shorter.
error-blob-gone = This picture is not kept any more. Press “Again” to draw a new one.
error-files-refused = Telegram did not take this: the chat may not allow it, or it is too large.
error-given-up = I broke down over this several times, so I will not try it again.
