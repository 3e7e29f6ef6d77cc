text-image-fusion-command = change a picture with words
text-image-fusion-help = /mix and a sentence: your picture changed by your words; in our private chat a photo with a caption, or a reply to a picture, is enough (--balance { $balances })
text-image-fusion-ask-picture = Send me the picture that I shall change.
text-image-fusion-ask-words = Tell me what to make of it: one sentence, up to { $limit } characters.
text-image-fusion-lead = ✍️ With words
text-image-fusion-offer = ✍️ Change it
button-balance-words = ✍️ More words
button-balance-picture = 🖼 More picture

balance-words = more of the words
balance-even = words and picture
balance-picture = more of the picture
