# Pictures people send: why one cannot be drawn from, and what to do. At most 200 characters.
error-upload-kind =
    { $kind ->
        [sticker] That is a sticker. Please send a photo or a picture file.
        [video] That is a video. Please send a photo or a picture file.
        [video_note] That is a video message. Please send a photo or a picture file.
        [animation] That is a video clip. Please send a photo or a picture file.
        [audio] That is a sound. Please send a photo or a picture file.
        [voice] That is a voice message. Please send a photo or a picture file.
        [document] That file is no picture. Please send a photo or a picture file.
       *[other] There is no picture in that. Please send a photo or a picture file.
    }
error-upload-too-many =
    { $limit ->
        [one] I can use one picture here, and there are { $count }. Please send just one.
       *[other] I can use at most { $limit } pictures here, and there are { $count }. Please send fewer.
    }
error-upload-too-large = That file is too large: Telegram lets me fetch at most { $limit_mb } MB. Send it as a photo, or smaller.
error-upload-not-fetched = The picture did not come through from Telegram. Please send it once more.
error-upload-lost = Telegram does not have that picture any more. Please send it anew.
error-upload-not-a-picture = That file is no picture I can read. I read JPEG, PNG, WebP, GIF, BMP and TIFF.
error-upload-format = I cannot read { $name } files. Please send the picture as a photo, not as a file: then Telegram converts it.
error-upload-broken = That picture is damaged or incomplete. Please send it again, or another one.
error-upload-too-many-pixels = That picture has { $width_px }×{ $height_px } pixels, more than the { $limit_mp } megapixels I read. Send it as a photo, or smaller.
error-upload-too-small = That picture has only { $width_px }×{ $height_px } pixels. I need at least { $limit_px } on each side.
error-upload-too-narrow = That picture, { $width_px }×{ $height_px }, is too narrow: one side may be at most { $limit } times the other. Please crop it.
error-upload-too-much-work = That picture takes too long or too much memory to open. Please send it as a photo, or another one.
error-picture-gone = A picture this starts from is not kept any more. Please send it again.
