/**
 * Which country the person is probably in, from the browser alone: nothing is asked of a server.
 * The time zone says where a device is; the language only says what it speaks, so it comes second.
 */

const US_ZONES = `New_York Detroit Chicago Menominee Denver Boise Phoenix Los_Angeles Anchorage Juneau Sitka
  Metlakatla Yakutat Nome Adak Puerto_Rico`;
const CA_ZONES = `St_Johns Halifax Glace_Bay Moncton Goose_Bay Toronto Montreal Nipigon Thunder_Bay Iqaluit
  Pangnirtung Rankin_Inlet Resolute Winnipeg Rainy_River Regina Swift_Current Edmonton Cambridge_Bay
  Yellowknife Inuvik Creston Dawson_Creek Fort_Nelson Vancouver Whitehorse Dawson Atikokan Blanc-Sablon`;
const ZONES = {
  "Africa/Accra": "GH", "Africa/Ceuta": "ES", "Africa/Johannesburg": "ZA", "Africa/Lagos": "NG",
  "Africa/Nairobi": "KE", "Arctic/Longyearbyen": "NO", "Asia/Bangkok": "TH", "Asia/Calcutta": "IN", "Asia/Colombo": "LK", "Asia/Karachi": "PK", "Asia/Kathmandu": "NP",
  "Asia/Hong_Kong": "HK", "Asia/Katmandu": "NP", "Asia/Kolkata": "IN", "Asia/Kuala_Lumpur": "MY", "Asia/Kuching": "MY", "Asia/Manila": "PH",
  "Asia/Seoul": "KR", "Asia/Singapore": "SG", "Asia/Taipei": "TW", "Asia/Tokyo": "JP", "Atlantic/Azores": "PT", "Atlantic/Canary": "ES",
  "Atlantic/Madeira": "PT", "Atlantic/Reykjavik": "IS", "Europe/Amsterdam": "NL", "Europe/Athens": "GR", "Europe/Belfast": "GB", "Europe/Berlin": "DE",
  "Europe/Brussels": "BE", "Europe/Budapest": "HU", "Europe/Busingen": "DE", "Europe/Copenhagen": "DK",
  "Europe/Dublin": "IE", "Europe/Guernsey": "GB", "Europe/Helsinki": "FI",
  "Europe/Isle_of_Man": "GB", "Europe/Jersey": "GB", "Europe/Lisbon": "PT", "Europe/London": "GB",
  "Europe/Madrid": "ES", "Europe/Mariehamn": "FI", "Europe/Oslo": "NO", "Europe/Paris": "FR",
  "Europe/Prague": "CZ", "Europe/Rome": "IT", "Europe/Stockholm": "SE", "Europe/Vienna": "AT", "Europe/Zurich": "CH",
  "Pacific/Auckland": "NZ", "Pacific/Chatham": "NZ", "Pacific/Easter": "CL", "Pacific/Honolulu": "US",
};
const AMERICA = {
  US: words(US_ZONES), CA: words(CA_ZONES),
  MX: words(`Mexico_City Cancun Merida Monterrey Matamoros Chihuahua Ciudad_Juarez Ojinaga Mazatlan
    Bahia_Banderas Hermosillo Tijuana`),
  BR: words(`Sao_Paulo Rio_Branco Manaus Porto_Velho Boa_Vista Cuiaba Campo_Grande Belem Santarem Fortaleza
    Recife Maceio Bahia Araguaina Noronha Eirunepe`),
  AR: words(`Buenos_Aires Cordoba Salta Jujuy Tucuman Catamarca La_Rioja San_Juan Mendoza San_Luis Rio_Gallegos
    Ushuaia`),
  CL: words("Santiago Punta_Arenas Coyhaique"), PE: words("Lima"),
};
const NOWHERE = /^(UTC|GMT|Etc\/.*|Universal|Zulu)?$/;

/** ISO 3166 alpha-2 code of the probable country, or null where the time zone is of none that we list. */
export function probableCountry(timeZone = browserTimeZone(), languages = navigator.languages) {
  if (!NOWHERE.test(timeZone)) return countryOfZone(timeZone);
  for (const tag of languages ?? []) {
    const region = /-([A-Z]{2})\b/.exec(tag)?.[1];
    if (region) return region;
  }
  return null;
}

function countryOfZone(zone) {
  if (ZONES[zone]) return ZONES[zone];
  const [area, ...rest] = zone.split("/");
  if (area === "Australia") return "AU";
  if (area === "US") return "US";
  if (area === "Canada") return "CA";
  if (area !== "America") return null;
  if (["Indiana", "Kentucky", "North_Dakota"].includes(rest[0])) return "US";
  return Object.keys(AMERICA).find((country) => AMERICA[country].includes(rest.at(-1))) ?? null;
}

function words(text) {
  return text.split(/\s+/);
}

function browserTimeZone() {
  try {
    return Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  } catch {
    return "";
  }
}
