settings-title = ⚙️ Настройки по умолчанию:
settings-language = 🌐 Язык: { $language }
settings-ratio = 📐 Пропорции: { $ratio }
settings-quality = ✨ Качество: { $quality }
settings-style = 🎭 Стиль: { $style }
settings-file =
    { $on ->
        [yes] 📄 Присылать файлом: да
       *[no] 📄 Присылать файлом: нет
    }
language-auto = как в Telegram
language-en = English
language-ru = Русский
settings-saved = Сохранено.
settings-done = 👍 Настройки сохранены.
button-done = ✔️ Готово
