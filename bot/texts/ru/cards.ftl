# Сообщение, которое показывает задание: от очереди до картинки.
card-next = ⏳ Ваша картинка следующая, будет готова примерно через { DURATION($wait_s) }.
card-waiting =
    { $ahead ->
        [one] ⏳ Перед вами { $ahead } картинка, готово будет примерно через { DURATION($wait_s) }.
        [few] ⏳ Перед вами { $ahead } картинки, готово будет примерно через { DURATION($wait_s) }.
       *[other] ⏳ Перед вами { $ahead } картинок, готово будет примерно через { DURATION($wait_s) }.
    }
card-running = 🎨 { $bar } { $percent } %
card-finishing = 🎨 Почти готово…
card-cancelled = ✖️ Отменено.
card-expired = 🕓 Эта картинка уже не хранится. Нажмите «Ещё раз», и я нарисую новую.
card-refused = 🚫 Картинка готова, но в этот чат картинки отправлять нельзя. Попробуйте кнопку «Файлом».
card-album = 🖼 Ваши картинки выше.
card-album-expired = 🕓 Эти картинки уже не хранятся. Нажмите «Ещё раз», и я нарисую новые.
card-album-unknown = 🤷 Telegram не подтвердил отправку альбома. Если картинок выше нет, нажмите «Прислать снова».
card-details = зерно { $seed } · { $width_px }×{ $height_px } · { $how } · { DURATION($seconds) }
card-negative = без: { $negative }
card-negative-unheeded = без: { $negative } (в быстром качестве не действует)
card-style = стиль: { $style }

button-cancel = ✖️ Отменить
button-again = 🎲 Ещё раз
button-file = 📄 Файлом
button-delete = 🗑 Удалить
button-send-again = 📨 Прислать снова

toast-cancelling = Отменено.
toast-too-late = Отменять уже нечего.
toast-again = Рисую ещё одну.
toast-drawing = Рисую.
toast-file = Отправляю файл.
toast-deleted = Удалено.
toast-kept = Telegram разрешает удалять только сообщения моложе 48 часов.
toast-sending-again = Отправляю ещё раз.
toast-not-ready = Здесь ещё нет картинки.
toast-not-yours = Эта кнопка от чужой картинки.
toast-stale = Эта кнопка устарела.
