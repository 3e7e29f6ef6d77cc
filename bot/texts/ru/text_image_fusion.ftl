text-image-fusion-command = изменить картинку словами
text-image-fusion-help = /mix и описание: ваша картинка, изменённая словами; в личном чате достаточно фото с подписью или ответа на картинку (--balance { $balances })
text-image-fusion-ask-picture = Пришлите картинку, которую надо изменить.
text-image-fusion-ask-words = Напишите, что из неё сделать: одно предложение, не больше { $limit } знаков.
text-image-fusion-lead = ✍️ Словами
text-image-fusion-offer = ✍️ Изменить
button-balance-words = ✍️ Больше слов
button-balance-picture = 🖼 Больше картинки

balance-words = больше от слов
balance-even = слова и картинка поровну
balance-picture = больше от картинки
