style-transfer-command = нарисовать картинку в другом стиле
style-transfer-help =
    { $shown ->
        [yes] /restyle: ваша картинка в другом стиле, который можно описать или показать второй картинкой; формы останутся (--hold { $holds })
       *[no] /restyle и описание стиля: ваша картинка в этом стиле; формы останутся (--hold { $holds })
    }
style-transfer-ask-picture = Пришлите картинку, формы которой надо сохранить.
style-transfer-ask-style =
    { $shown ->
        [yes] 🎭 В каком стиле? Опишите его или пришлите картинку в этом стиле.
       *[no] 🎭 В каком стиле? Опишите его.
    }
style-transfer-ask-hold = Насколько строго держаться форм?
style-transfer-choose = 🎭 В каком стиле?
style-transfer-title =
    { $shown ->
        [yes] Ваша картинка в стиле другой
       *[no] Ваша картинка в другом стиле
    }
style-transfer-how = формы: { $hold }
style-transfer-lead = 🎭 Сменить стиль
style-transfer-offer = 🎭 Сменить стиль
button-choose-style = 🎭 Выбрать стиль
button-hold = 📏 { $hold }

hold-lightly = нестрого
hold-normal = обычно
hold-strictly = строго
