/** What a visitor's browser told us, in words an agent reads. Pure. */

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/MicroMessenger\/([\d]+)/, 'WeChat'],
  [/Edg(?:e|A|iOS)?\/([\d]+)/, 'Edge'],
  [/OPR\/([\d]+)/, 'Opera'],
  [/Firefox\/([\d]+)/, 'Firefox'],
  [/FxiOS\/([\d]+)/, 'Firefox'],
  [/(?:Chrome|CriOS)\/([\d]+)/, 'Chrome'],
  [/Version\/([\d]+).*Safari/, 'Safari'],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/iPhone/, 'iPhone'],
  [/iPad/, 'iPad'],
  [/HarmonyOS|OpenHarmony/, 'HarmonyOS'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

/** `Chrome 142 · Windows`; a text that is not a user agent stays as it is. */
export function browserName(agent: string): string {
  if (!agent.includes('Mozilla/')) return agent;
  let browser = '';
  for (const [pattern, name] of BROWSERS) {
    const match = pattern.exec(agent);
    if (match === null) continue;
    browser = `${name} ${match[1] ?? ''}`.trim();
    break;
  }
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1] ?? '';
  return [browser, system].filter(Boolean).join(' · ');
}

/** A page by its title, else by its host and path. */
export function pageName(address: string, title: string): string {
  if (title.trim() !== '') return title.trim();
  try {
    const { host, pathname } = new URL(address);
    return pathname === '/' ? host : host + decodeURI(pathname);
  } catch {
    return address;
  }
}

/** A language tag in the reader's language; an unknown one stays as it is. */
export function languageName(tag: string, reader: string): string {
  try {
    return new Intl.DisplayNames([reader], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
