text-to-image-command = draw a picture from a sentence
text-to-image-help =
    🎨 /imagine a sentence (in our private chat the sentence alone is enough)
    --ar { $ratios }: the aspect ratio
    --quality { $qualities }: how much care is taken
    --n 1…{ $pictures_max }: how many pictures
    --no text, watermark: what to leave out (no effect with flash)
    --seed 7: the same seed and the same words draw the same picture
text-to-image-help-style = --style { $styles }
text-to-image-ask = What shall I draw? Send me one sentence, up to { $limit } characters.
text-to-image-words-alone = /imagine draws from the words alone, so the picture does not count.
text-to-image-ask-again = Send me the new sentence; everything else stays as it was.

menu-title = How shall I draw it?
menu-style-title = Which style?
menu-closed = Closed. Nothing was drawn.

button-style-of = 🎭 Style: { $style }
button-draw = 🎨 Draw
button-close = ✖️ Close
button-back = ← Back
button-try-again = 🔁 Try again
button-same-seed = 🌱 { $quality }
button-edit = 🖋 Edit
button-options = ⚙️ Options
button-copy = 📋 Copy the old sentence

example-anything-1 = A lighthouse on a cliff at dusk, oil painting
example-anything-2 = A fox reading a newspaper in a café
example-anything-3 = A glass city under a purple sky --ar 16:9
example-shapes-1 = a red circle on a blue background
example-shapes-2 = a yellow star on the left and a white moon on the right, purple background --ar 3:2
example-shapes-3 = a smiling face with brown hair and blue eyes on a pink background
