# The prompt step: a language model improves what was typed, or translates it.
card-rewording = 🪄 Preparing the prompt…
card-drawn = 🪄 Drawn:
card-negative-drawn = 🪄 without: { $negative }
button-as-typed = ✍️ As typed
settings-beautify =
    { $on ->
        [yes] 🪄 Improve prompts: yes
       *[no] 🪄 Improve prompts: no
    }

prompting-no-answer = 💬 The language model did not answer, so this is drawn as you typed it.
prompting-refused = 💬 The language model declined to reword this, so it is drawn as you typed it.
prompting-unusable = 💬 The language model gave no usable words, so this is drawn as you typed it.
prompting-negative-as-typed = 💬 What to leave out could not be translated, so it is used as you typed it.
