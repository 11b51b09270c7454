/** Character classes of RFC 9110 and 9112 as 256-entry tables; a byte outside a class is refused, not guessed. */

function classOf(test: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (test(code) ? 1 : 0));
}

const TOKEN_MARKS = "!#$%&'*+-.^_`|~";

/** tchar: what a method, a field name and a token are made of. */
export const TOKEN = classOf((code) => {
  const char = String.fromCharCode(code);
  return /[0-9A-Za-z]/.test(char) || TOKEN_MARKS.includes(char);
});

/** What a request target may hold: visible ASCII without `#`, which only browsers see. */
export const TARGET = classOf((code) => code > 0x20 && code < 0x7f && code !== 0x23);

/** Field values: visible characters, space, tab and the bytes above ASCII; no control byte. */
export const VALUE = classOf((code) => code === 0x09 || (code >= 0x20 && code !== 0x7f));

/** Value of a hexadecimal digit, or 255. */
export const HEX = Uint8Array.from({ length: 256 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

export const CR = 0x0d;
export const LF = 0x0a;
export const SPACE = 0x20;
export const TAB = 0x09;
export const COLON = 0x3a;

/** Whether `text` from `start` is `lower` (given in lower case), whatever the case of its letters. */
export function equalsLower(text: string, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i += 1) {
    const code = text.charCodeAt(start + i);
    const folded = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
    if (folded !== lower.charCodeAt(i)) return false;
  }
  return true;
}
