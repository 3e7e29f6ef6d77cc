image-variations-command = нарисовать картинки, похожие на вашу
image-variations-help = /variations: картинки, похожие на вашу (--likeness { $likenesses })
image-variations-ask = Пришлите картинку, и я нарисую похожие.
image-variations-title = Вариации вашей картинки
image-variations-how = сходство { $likeness }
image-variations-lead = 🎏 Вариации
image-variations-offer = 🎏 Вариации
button-likeness = ≈ { $likeness }
button-four-more = 🎲 Ещё 4

likeness-loose = слабое
likeness-normal = обычное
likeness-close = сильное
