command-start = what I do
command-help = how to ask
command-queue = your pictures on their way
command-settings = language, aspect ratio, quality, style
command-cancel = cancel all my pictures

bot-description =
    { $pictures ->
        [yes] Type a sentence or send a photo and get a picture, made by Kandinsky 3 on its owner's own machine.
       *[no] Type a sentence and get a picture, made by Kandinsky 3 on its owner's own machine.
    }
    You see it form, can stop it at any moment, and take it further.
    /start tells what the model here can draw.
bot-short-description =
    { $pictures ->
        [yes] Type a sentence or send a photo, get a picture. Kandinsky 3.
       *[no] Type a sentence, get a picture. Kandinsky 3.
    }

start =
    👋 Hello! Send me a sentence and I draw it. The pictures are made by an AI model, Kandinsky 3.

    { $world }

    Try one of these, or /help for everything I can do.
start-pictures = Or send me a photo, and I ask what to make of it.
world-anything =
    { $translates ->
        [yes] I draw nearly anything you can say, in English, in Russian and in other languages.
       *[no] I draw nearly anything you can say, but the model here understands English only.
    }
world-shapes = The model here is a very small one, and honestly it knows one little world: a circle, square, triangle, star, ring, cross, heart or moon, or two of them side by side or one above the other, in twelve colours (red, green, blue, yellow, purple, orange, pink, cyan, white, black, grey, brown), small or large, in the centre or to a side; or a cartoon face, smiling, sad or surprised; on a plain background or on one that fades from one colour to another. It reads English and Russian.
help-pictures = 🖼 From pictures: send me a photo, or an album; or reply to a picture with one of these commands. All of them take --ar, --n and --seed.
help-more =
    /queue: your pictures on their way
    /settings: your defaults
    /cancel: cancel all your pictures
cancel-done =
    { $count ->
        [0] There was nothing to stop.
        [one] Stopped { $count } picture.
       *[other] Stopped { $count } pictures.
    }
queue-empty = You have no pictures on their way.
queue-mine = Your pictures on their way:
queue-line-waiting = { $number }. { $title } — in about { DURATION($wait_s) }
queue-line-running = { $number }. { $title } — being drawn
queue-totals = All together: { $waiting } waiting, { $running } being drawn.
queue-cancel = ✖️ Cancel { $number }
unknown-command = I do not know this command. /help lists what I can do.
only-words =
    { $pictures ->
        [yes] I cannot do anything with this. Send me a photo, or a sentence such as “{ $example }”.
       *[no] I draw from words: send me a sentence, such as “{ $example }”.
    }
thread-lost = I have lost the thread, sorry. Please say it once more.
settings-in-private = Settings are personal: please open them in our private chat.
