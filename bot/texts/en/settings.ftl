settings-title = ⚙️ Your defaults:
settings-language = 🌐 Language: { $language }
settings-ratio = 📐 Aspect ratio: { $ratio }
settings-quality = ✨ Quality: { $quality }
settings-style = 🎭 Style: { $style }
settings-file =
    { $on ->
        [yes] 📄 Send as file: yes
       *[no] 📄 Send as file: no
    }
language-auto = as in Telegram
language-en = English
language-ru = Русский
settings-saved = Saved.
settings-done = 👍 Settings are kept.
button-done = ✔️ Done
