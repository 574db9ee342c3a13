// Made-up identifiers. Everything is drawn from a generator seeded by the story's name, so that a
// story gives the same bytes on every run. Every secret value contains FAKESECRET.

export function seeded(text) {
  let h = 1779033703 ^ text.length;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 3432918353);
    h = (h << 13) | (h >>> 19);
  }
  let a = h >>> 0;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const hex = (n) => Array.from({ length: n }, () => "0123456789abcdef"[Math.floor(next() * 16)]).join("");
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const text64 = (n) => Array.from({ length: n }, () => alphabet[Math.floor(next() * 64)]).join("");
  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    guid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    hex,
    secret: (prefix, n = 120) => `${prefix}FAKESECRET${text64(Math.min(n, 44))}`,
    digits: (n) => Array.from({ length: n }, () => Math.floor(next() * 10)).join(""),
  };
}

export const TENANT = "7d1f3a52-6c0b-4e57-a9d4-0b6c5e2f8a11";
export const APP_ID = "3c9b7e04-51aa-4f0e-a6c2-9d8e7f6a5b40";
export const USER = "adele.vance@contoso.example";
export const PASSWORD = "FAKESECRET-Passw0rd!2030";
export const STS = "login.microsoftonline.com";
export const CDN = ["aadcdn.msauth.net", "aadcdn.msftauth.net"];
export const APP = "portal.fabrikam.example";
export const ADFS = "sts.contoso.example";

/** Addresses the made-up hosts have; a recording puts them on the loopback interface of its own network. */
export const ADDRESSES = {
  [STS]: "20.190.160.14",
  "device.login.microsoftonline.com": "20.190.160.20",
  "autologon.microsoftazuread-sso.com": "20.190.160.130",
  "login.microsoft.com": "20.190.160.66",
  "aadcdn.msauth.net": "198.51.100.40",
  "aadcdn.msftauth.net": "198.51.100.48",
  "login.live.com": "20.190.160.4",
  "mysignins.microsoft.com": "198.51.100.77",
  "browser.events.data.microsoft.com": "198.51.100.90",
  [APP]: "203.0.113.80",
  [ADFS]: "203.0.113.25",
  "mfa.duosec.example": "203.0.113.31",
  "news.example.net": "203.0.113.99",
  "gateway.fabrikam.example": "203.0.113.81",
  "outlook.office365.com": "198.51.100.120",
};
