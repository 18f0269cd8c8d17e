// Calls of the management API, with the token that this tab was given.

const PLACE = "larder-token";
const PATIENCE_MS = 10_000;

/** What a call came to when it was not done: a status of the service, or 0 where nothing answered. */
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const token = {
  get: () => sessionStorage.getItem(PLACE),
  set: (text) => sessionStorage.setItem(PLACE, text),
  forget: () => sessionStorage.removeItem(PLACE),
};

/** The JSON that a call is answered with. */
export async function call(method, path, content) {
  const response = await send(method, path, content);
  const text = await read(response);
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    // Something between here and the service has answered, or the service has no JSON to give.
  }
  if (response.ok && json !== null) {
    return json;
  }
  throw refusal(response, json);
}

async function send(method, path, content) {
  const headers = { authorization: `Bearer ${token.get() ?? ""}` };
  if (content !== undefined) {
    headers["content-type"] = "application/json";
  }
  try {
    return await fetch(new URL(`api/cache/${path}`, document.baseURI), {
      method,
      headers,
      body: content === undefined ? undefined : JSON.stringify(content),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (problem) {
    // A header that cannot be sent is a token that cannot be right.
    if (problem instanceof TypeError && /[^\x20-\x7e]/.test(headers.authorization)) {
      throw new Refusal(401, "unauthorized", "a token has no such letters");
    }
    throw new Refusal(0, "silent", "the service does not answer");
  }
}

async function read(response) {
  try {
    return await response.text();
  } catch {
    throw new Refusal(0, "silent", "the answer broke off");
  }
}

function refusal(response, json) {
  const error = json?.error;
  const message = typeof error === "string" ? error : error?.message;
  return new Refusal(
    response.ok ? 502 : response.status,
    typeof error?.code === "string" ? error.code : "",
    typeof message === "string" ? message : `the answer was ${response.status}`,
  );
}
