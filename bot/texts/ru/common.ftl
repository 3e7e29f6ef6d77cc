# Длительности, как в «через 12 с».
duration-seconds = { $count } с
duration-minutes = { $count } мин
duration-hours = { $count } ч

quality-flash = быстрое
quality-fast = ускоренное
quality-base = обычное
quality-refined = высокое

style-none = без стиля
style-middle-ages = Средние века
style-anime = аниме
style-ultra = фото Ultra HD
style-cyberpunk = киберпанк
style-kandinsky = Кандинский
style-aivazovsky = Айвазовский
style-malevich = Малевич
style-picasso = Пикассо
style-goncharova = Гончарова
style-classicism = классицизм
style-renaissance = Возрождение
style-oil-painting = масло
style-pencil = карандаш
style-digital = цифровая живопись
style-soviet-cartoons = советский мультфильм
style-unreal = 3D-рендер
style-cartoon = мультфильм
style-glamorous = гламур
style-portrait = студийный портрет
style-mosaic = мозаика
style-icon = икона
style-khokhloma = хохлома
style-christmas = Рождество
