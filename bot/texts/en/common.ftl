# Durations, as in "Come back in 12 s".
duration-seconds = { $count } s
duration-minutes = { $count } min
duration-hours = { $count } h

quality-flash = flash
quality-fast = fast
quality-base = base
quality-refined = refined

style-none = none
style-middle-ages = Middle Ages
style-anime = anime
style-ultra = ultra HD photo
style-cyberpunk = cyberpunk
style-kandinsky = Kandinsky
style-aivazovsky = Aivazovsky
style-malevich = Malevich
style-picasso = Picasso
style-goncharova = Goncharova
style-classicism = classicism
style-renaissance = Renaissance
style-oil-painting = oil painting
style-pencil = pencil
style-digital = digital painting
style-soviet-cartoons = Soviet cartoon
style-unreal = 3D render
style-cartoon = cartoon
style-glamorous = glamour
style-portrait = studio portrait
style-mosaic = mosaic
style-icon = icon
style-khokhloma = Khokhloma
style-christmas = Christmas
