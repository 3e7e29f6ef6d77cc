image-fusion-command = соединить от двух до четырёх картинок в одну
image-fusion-help = /fuse: из двух, трёх или четырёх картинок получится одна
image-fusion-ask =
    { $count ->
        [0] Пришлите картинки, которые надо соединить, от двух до { $limit }: альбомом или по одной.
       *[other] Одна картинка есть. Пришлите ещё одну, чтобы соединить их; всего можно до { $limit }.
    }
image-fusion-menu = 🧬 Картинок: { $count }. Сколько взять от каждой?
image-fusion-more = Можно прислать ещё: { $room }.
image-fusion-title =
    { $count ->
        [few] { $count } картинки в одной
       *[other] { $count } картинок в одной
    }
image-fusion-how = доли { $weights }
image-fusion-share = Картинка { $number }: { $percent } %
image-fusion-lead = 🧬 Соединить с…
image-fusion-offer =
    { $count ->
        [one] 🧬 Соединить с…
       *[other] 🧬 Соединить их
    }
button-weights = ⚖️ Доли
