text-to-image-command = нарисовать картинку по описанию
text-to-image-help =
    🎨 /imagine и описание (в личном чате достаточно самого описания)
    --ar { $ratios }: пропорции картинки
    --quality { $qualities }: насколько тщательно рисовать
    --n 1…{ $pictures_max }: сколько картинок
    --no text, watermark: чего не рисовать (с flash не действует)
    --seed 7: то же зерно и те же слова дают ту же картинку
text-to-image-help-style = --style { $styles }
text-to-image-ask = Опишите словами, что нарисовать. Не больше { $limit } знаков.
text-to-image-words-alone = Команда /imagine рисует только по словам, картинка здесь не учитывается.
text-to-image-ask-again = Пришлите новое описание; всё остальное останется как было.

menu-title = Как нарисовать?
menu-style-title = В каком стиле?
menu-closed = Закрыто. Ничего не нарисовано.

button-style-of = 🎭 Стиль: { $style }
button-draw = 🎨 Нарисовать
button-close = ✖️ Закрыть
button-back = ← Назад
button-try-again = 🔁 Попробовать снова
button-same-seed = 🌱 { $quality }
button-edit = 🖋 Изменить
button-options = ⚙️ Параметры
button-copy = 📋 Скопировать прежнее описание

example-anything-1 = Маяк на утёсе в сумерках, картина маслом
example-anything-2 = Лиса читает газету в кафе
example-anything-3 = Стеклянный город под лиловым небом --ar 16:9
example-shapes-1 = красный круг на синем фоне
example-shapes-2 = жёлтая звезда слева и белая луна справа на фиолетовом фоне --ar 3:2
example-shapes-3 = улыбающееся лицо с каштановыми волосами и голубыми глазами на розовом фоне
