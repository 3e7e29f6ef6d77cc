/* Addresses of this small Telegram itself: t.me/<bot>?start=<parameter>. */

const HOSTS = new Set(["t.me", "telegram.me"]);

/** Read a link to a bot; gives {username, start} (lower case; start may be "") or null. */
export function botLink(address) {
  let url = null;
  try {
    url = new URL(address, "https://t.me");
  } catch {
    return null;
  }
  if (url.protocol === "tg:" && url.href.startsWith("tg://resolve")) {
    return named(url.searchParams.get("domain"), url.searchParams.get("start"));
  }
  const name = /^\/(\w{3,32})\/?$/.exec(url.pathname)?.[1];
  return ["http:", "https:"].includes(url.protocol) && HOSTS.has(url.host) ? named(name, url.searchParams.get("start")) : null;
}

function named(username, start) {
  return username ? { username: username.toLowerCase(), start: start ?? "" } : null;
}

/** Follow links to bots of this playground here, in place of a new window. */
export function watchLinks(area, isHere, follow) {
  area.addEventListener("click", (event) => {
    const address = event.target.closest("a[href]")?.href;
    const link = address && botLink(address);
    if (!link || !isHere(link.username)) return;
    event.preventDefault();
    follow(address);
  });
}
