/* What a Mini App may ask of the page: the web-app protocol of Telegram's clients, one row an event. */

import { choiceDialog } from "./dialogs.js";
import { themeParams } from "./theme.js";

const SAFE_AREA = { top: 0, bottom: 0, left: 0, right: 0 };
const POPUP_LABELS = { ok: "OK", close: "Close", cancel: "Cancel" };
const MAX_POPUP_BUTTONS = 3;

export const EVENTS = {
  iframe_ready: (app) => app.tellViewport(),
  web_app_ready: (app) => { app.dialog.dataset.ready = ""; },
  web_app_expand: (app) => app.shape({ expanded: true }),
  web_app_close: (app) => app.close(),
  web_app_request_theme: (app) => app.post("theme_changed", { theme_params: themeParams() }),
  web_app_request_viewport: (app) => app.tellViewport(),
  web_app_request_safe_area: (app) => app.post("safe_area_changed", SAFE_AREA),
  web_app_request_content_safe_area: (app) => app.post("content_safe_area_changed", SAFE_AREA),
  web_app_request_fullscreen: (app) => fullscreen(app, true),
  web_app_exit_fullscreen: (app) => fullscreen(app, false),

  web_app_setup_main_button: (app, given) => app.setBottomButton(app.main, given),
  web_app_setup_secondary_button: (app, given) => app.setBottomButton(app.secondary, given),
  web_app_setup_back_button: (app, { is_visible: visible }) => { app.backButton.hidden = !visible; },
  web_app_setup_settings_button: (app, { is_visible: visible }) => { app.hasSettings = Boolean(visible); },
  web_app_setup_closing_behavior: (app, { need_confirmation: asks }) => { app.asksToClose = Boolean(asks); },
  web_app_set_header_color: (app, color) => app.paintPart("header", color),
  web_app_set_background_color: (app, color) => app.paintPart("background", color),
  web_app_set_bottom_bar_color: (app, color) => app.paintPart("bottom", color),

  web_app_data_send: (app, { data }) => sendData(app, data),
  web_app_open_popup: (app, popup) => openPopup(app, popup),
  web_app_open_link: (app, { url }) => app.host.openLink(String(url)),
  web_app_open_tg_link: (app, { path_full: path }) => app.host.openTelegramLink(String(path)),
  web_app_switch_inline_query: (app, { query, chat_types: types }) => app.host.inline(String(query ?? ""), Boolean(types?.length)),
  web_app_open_invoice: async (app, { slug }) =>
    app.post("invoice_closed", { slug, status: await app.host.pay(String(slug)) }),
  web_app_request_write_access: (app) => app.post("write_access_requested", { status: "allowed" }),

  // What a page in a browser cannot do is refused in the protocol's own words: no app waits for ever.
  web_app_request_phone: (app) => app.post("phone_requested", { status: "cancelled" }),
  web_app_read_text_from_clipboard: (app, { req_id }) => app.post("clipboard_text_received", { req_id, data: null }),
  web_app_invoke_custom_method: (app, { req_id }) => app.post("custom_method_invoked", { req_id, error: "UNSUPPORTED" }),
  web_app_open_scan_qr_popup: (app) => app.post("scan_qr_popup_closed"),
  web_app_biometry_get_info: (app) => app.post("biometry_info_received", { available: false }),
  web_app_check_home_screen: (app) => app.post("home_screen_checked", { status: "unsupported" }),
  web_app_add_to_home_screen: (app) => app.post("home_screen_failed", { error: "UNSUPPORTED" }),
  web_app_request_file_download: (app) => app.post("file_download_requested", { status: "cancelled" }),
  web_app_send_prepared_message: (app) => app.post("prepared_message_failed", { error: "UNSUPPORTED" }),
  web_app_set_emoji_status: (app) => app.post("emoji_status_failed", { error: "UNSUPPORTED" }),
  web_app_request_emoji_status_access: (app) => app.post("emoji_status_access_requested", { status: "cancelled" }),
  web_app_request_location: (app) => app.post("location_requested", { available: false }),
  web_app_start_accelerometer: (app) => app.post("accelerometer_failed", { error: "UNSUPPORTED" }),
  web_app_start_gyroscope: (app) => app.post("gyroscope_failed", { error: "UNSUPPORTED" }),
  web_app_start_device_orientation: (app) => app.post("device_orientation_failed", { error: "UNSUPPORTED" }),
  web_app_device_storage_save_key: deviceStorage, web_app_device_storage_get_key: deviceStorage,
  web_app_device_storage_clear: deviceStorage,
  web_app_secure_storage_save_key: secureStorage, web_app_secure_storage_get_key: secureStorage,
  web_app_secure_storage_restore_key: secureStorage, web_app_secure_storage_clear: secureStorage,
};

/** Only an app from the keyboard below may, and only once: sending closes it. */
async function sendData(app, data) {
  if (!app.opened.can_send_data || app.sent) return;
  app.sent = true;
  app.sent = await app.host.sendData(String(data ?? ""));
}

function fullscreen(app, is) {
  if (app.fullscreen === is) return app.post("fullscreen_failed", { error: is ? "ALREADY_FULLSCREEN" : "NOT_FULLSCREEN" });
  app.shape({ fullscreen: is });
  return app.post("fullscreen_changed", { is_fullscreen: is });
}

async function openPopup(app, { title = "", message = "", buttons = [] }) {
  const shown = buttons.slice(0, MAX_POPUP_BUTTONS).map(({ id, type, text }) =>
    ({ id: String(id ?? ""), label: String(POPUP_LABELS[type] ?? text ?? "OK"), danger: type === "destructive" }));
  const pressed = await choiceDialog(String(title), String(message), shown.length ? shown : [{ id: "", label: "Close" }]);
  app.post("popup_closed", pressed ? { button_id: pressed } : {});
}

function deviceStorage(app, { req_id }) {
  app.post("device_storage_failed", { req_id, error: "UNSUPPORTED" });
}

function secureStorage(app, { req_id }) {
  app.post("secure_storage_failed", { req_id, error: "UNSUPPORTED" });
}
