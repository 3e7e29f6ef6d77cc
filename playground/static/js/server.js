/* The page's own addresses; refusals become errors with the server's sentence. */

export async function get(address) {
  return read(await fetch(address));
}

async function read(response) {
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.description ?? `The server answered ${response.status}`);
  return answer;
}

/** Act as a person: fields as text, files under numbered names. */
export async function act(fields, files = []) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  files.forEach((file, index) => form.append(`file${index}`, file, file.name || "photo.png"));
  return read(await fetch("/page/act", { method: "POST", body: form }));
}

export async function addPerson(name, language) {
  const body = JSON.stringify({ name, language });
  const headers = { "Content-Type": "application/json" };
  return read(await fetch("/page/people", { method: "POST", body, headers }));
}

/** Follow events after a number. The browser reconnects and names the last one it saw. */
export function follow(after, onEvent, onConnection) {
  const source = new EventSource(`/page/events?after=${after}`);
  source.onmessage = (message) => onEvent(JSON.parse(message.data), Number(message.lastEventId));
  source.onopen = () => onConnection(true);
  source.onerror = () => {
    onConnection(false);
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => location.reload(), 2000);
    }
  };
  window.addEventListener("pagehide", () => source.close());
}
