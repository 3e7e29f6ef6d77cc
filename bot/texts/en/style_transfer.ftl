style-transfer-command = draw a picture in another style
style-transfer-help =
    { $shown ->
        [yes] /restyle: the shapes of your picture in another style, said in words or shown by a second picture (--hold { $holds })
       *[no] /restyle and a style in words: the shapes of your picture in that style (--hold { $holds })
    }
style-transfer-ask-picture = Send me the picture whose shapes I shall keep.
style-transfer-ask-style =
    { $shown ->
        [yes] 🎭 In which style? Write it, or send me a picture in that style.
       *[no] 🎭 In which style? Write it.
    }
style-transfer-ask-hold = How strictly shall I keep the shapes?
style-transfer-choose = 🎭 In which style?
style-transfer-title =
    { $shown ->
        [yes] Your picture in the style of another
       *[no] Your picture in another style
    }
style-transfer-how = shapes kept { $hold }
style-transfer-lead = 🎭 Restyle
style-transfer-offer = 🎭 Restyle
button-choose-style = 🎭 Choose a style
button-hold = 📏 { $hold }

hold-lightly = lightly
hold-normal = normally
hold-strictly = strictly
