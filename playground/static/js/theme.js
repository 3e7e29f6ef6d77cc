/* The page's colours as Mini Apps know them. */

const SCHEME = matchMedia("(prefers-color-scheme: dark)");

/** Telegram's name -> the page's variable */
const COLORS = {
  bg_color: "--surface", secondary_bg_color: "--surface-hover", section_bg_color: "--surface",
  header_bg_color: "--surface", bottom_bar_bg_color: "--surface",
  text_color: "--text", hint_color: "--muted", subtitle_text_color: "--muted", section_header_text_color: "--accent",
  link_color: "--link", accent_text_color: "--accent", section_separator_color: "--line",
  button_color: "--fill", button_text_color: "--on-fill", destructive_text_color: "--danger",
};

/** #abc or #aabbcc as #aabbcc. */
const long = (color) => (color.length === 4 ? color.replace(/[^#]/g, "$&$&") : color);

export function themeParams() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(Object.entries(COLORS).map(([name, variable]) => [name, long(style.getPropertyValue(variable).trim())]));
}

/** Call when day turns into night or back; gives what ends it. */
export function watchTheme(changed) {
  SCHEME.addEventListener("change", changed);
  return () => SCHEME.removeEventListener("change", changed);
}
