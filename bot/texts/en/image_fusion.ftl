image-fusion-command = fuse two to four pictures into one
image-fusion-help = /fuse: two to four pictures become one
image-fusion-ask =
    { $count ->
        [0] Send me the pictures to fuse, two to { $limit }, as an album or one by one.
       *[other] I have one picture. Send me another to fuse it with; I take up to { $limit } in all.
    }
image-fusion-menu = 🧬 I have { $count } pictures. How much shall be taken from each?
image-fusion-more = You can send me { $room } more.
image-fusion-title = { $count } pictures in one
image-fusion-how = weights { $weights }
image-fusion-share = Picture { $number }: { $percent } %
image-fusion-lead = 🧬 Fuse with…
image-fusion-offer =
    { $count ->
        [one] 🧬 Fuse with…
       *[other] 🧬 Fuse them
    }
button-weights = ⚖️ Weights
