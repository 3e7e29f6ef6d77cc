/* The entrance. */

import { icon } from "./dom.js";
import { Page } from "./page.js";

const RETRY_MS = 3000;

const $ = (id) => document.getElementById(id);

$("back").append(icon("back"));
$("down").append(icon("down"));

new Page().start().catch((error) => {
  $("notice").hidden = false;
  $("notice").textContent = `The playground does not answer (${error.message}). Trying again…`;
  $("app").classList.add("in-chat");
  setTimeout(() => location.reload(), RETRY_MS);
});
