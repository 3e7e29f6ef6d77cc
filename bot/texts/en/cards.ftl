# The message that shows a job, from the queue to the picture.
card-next = ⏳ You are next, ready in about { DURATION($wait_s) }.
card-waiting =
    { $ahead ->
        [one] ⏳ { $ahead } picture before yours, ready in about { DURATION($wait_s) }.
       *[other] ⏳ { $ahead } pictures before yours, ready in about { DURATION($wait_s) }.
    }
card-running = 🎨 { $bar } { $percent } %
card-finishing = 🎨 Almost there…
card-cancelled = ✖️ Cancelled.
card-expired = 🕓 The picture is not kept any more. Press “Again” to draw a new one.
card-refused = 🚫 The picture is ready, but this chat does not take pictures. “As file” may work.
card-album = 🖼 Your pictures are above.
card-album-expired = 🕓 These pictures are not kept any more. Press “Again” to draw new ones.
card-album-unknown = 🤷 Telegram did not confirm the album. If you do not see your pictures above, press “Send again”.
card-details = seed { $seed } · { $width_px }×{ $height_px } · { $how } · { DURATION($seconds) }
card-negative = without: { $negative }
card-negative-unheeded = without: { $negative } (no effect in flash quality)
card-style = style: { $style }

button-cancel = ✖️ Cancel
button-again = 🎲 Again
button-file = 📄 As file
button-delete = 🗑 Delete
button-send-again = 📨 Send again

toast-cancelling = Cancelled.
toast-too-late = There is nothing left to cancel.
toast-again = Drawing another one.
toast-drawing = Drawing it.
toast-file = Sending the file.
toast-deleted = Deleted.
toast-kept = Telegram lets me delete only messages younger than 48 hours.
toast-sending-again = Sending them once more.
toast-not-ready = This one has no picture yet.
toast-not-yours = This button belongs to someone else's picture.
toast-stale = This button is out of date.
