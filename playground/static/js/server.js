/* The page's own addresses; refusals become errors with the server's sentence. */

const RETRY_MS = 1000;

export function get(address, fields = {}) {
  const query = new URLSearchParams(fields).toString();
  return read(fetch(query ? `${address}?${query}` : address));
}

async function read(request) {
  let response = null;
  try {
    response = await request;
  } catch {
    throw new Error("The playground does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.description ?? `The server answered ${response.status}`);
  return answer;
}

/** Act as a person: fields as text, files under numbered names. */
export function act(fields, files = []) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  files.forEach((file, index) => form.append(`file${index}`, file, file.name || "photo.png"));
  return read(fetch("/page/act", { method: "POST", body: form }));
}

export function addPerson(person) {
  const headers = { "Content-Type": "application/json" };
  return read(fetch("/page/people", { method: "POST", body: JSON.stringify(person), headers }));
}

/** Follow events after a number, for ever: a lost connection is opened anew after the last one seen. */
export function follow(after, onEvent, onConnection) {
  let [last, source, timer] = [after, null, 0];
  const open = () => {
    source = new EventSource(`/page/events?after=${last}`);
    source.onopen = () => onConnection(true);
    source.onmessage = (message) => {
      last = Number(message.lastEventId);
      onEvent(JSON.parse(message.data));
    };
    source.onerror = () => {
      onConnection(false);
      source.close();
      timer = setTimeout(open, RETRY_MS);
    };
  };
  open();
  window.addEventListener("pagehide", () => {
    source.close();
    clearTimeout(timer);
  });
  window.addEventListener("pageshow", (event) => event.persisted && open());
}
