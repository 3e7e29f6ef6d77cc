# What all modes have that start from pictures.
ask-in-group = { $name }, reply to this message: { $question }
only-pictures-count = Only the pictures count here, not the words.
first-frame-alone = That picture moves; I take its first frame.
gather-complete = Shall I draw it without that?
offer =
    { $count ->
        [one] What shall I do with this picture?
       *[other] What shall I do with these { $count } pictures?
    }
offer-words = Press a button, or write what to change.
pick = Which picture?
