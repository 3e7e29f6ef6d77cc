image-variations-command = draw more pictures like yours
image-variations-help = /variations: more pictures like yours (--likeness { $likenesses })
image-variations-ask = Send me the picture of which I shall draw variations.
image-variations-title = Variations of your picture
image-variations-how = { $likeness } likeness
image-variations-lead = 🎏 Variations
image-variations-offer = 🎏 Variations
button-likeness = ≈ { $likeness }
button-four-more = 🎲 4 more

likeness-loose = loose
likeness-normal = normal
likeness-close = close
