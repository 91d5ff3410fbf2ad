/** Variables, as a process gets them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting's text by its variable or, after that, its key in the profile; blank is absent. */
export type Setting = (variable: string, key?: string) => string | undefined;

/** What a setting is called where it was given: the variable, or the profile's key. */
export function nameOf(setting: Setting, variable: string, key: string): string {
  return setting(variable) === undefined ? `the profile’s ${key}` : variable;
}
