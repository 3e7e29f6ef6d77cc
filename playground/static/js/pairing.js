/* Pairs what was asked with the event that answers it, whichever of the two comes first. */

export class Pairing {
  constructor() {
    this.waiting = new Map();
    /** Answers that came before the server had named what was asked; kept while a request is on its way. */
    this.early = new Map();
    this.asking = 0;
  }

  /** Send a request that resolves to a key, and wait for that key; null when nothing came in time. */
  async ask(request, timeoutMs) {
    this.asking += 1;
    let key = null;
    try {
      key = await request();
    } finally {
      this.asking -= 1;
    }
    const early = this.early.get(key);
    if (!this.asking) this.early.clear();
    if (early) return early;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle(key, null), timeoutMs);
      this.waiting.set(key, { resolve, timer });
    });
  }

  settle(key, body) {
    const asked = this.waiting.get(key);
    if (!asked) {
      if (this.asking) this.early.set(key, body);
      return;
    }
    clearTimeout(asked.timer);
    this.waiting.delete(key);
    asked.resolve(body);
  }
}
