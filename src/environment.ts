/** Variables of the environment. Only main reads the process's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variable's text; a blank one counts as unset. */
export function given(environment: Environment, name: string): string | undefined {
  return environment[name]?.trim() || undefined;
}

/** A setting's text by its variable or, after that, its key in the profile; blank is absent. */
export type Setting = (variable: string, key?: string) => string | undefined;

/** What a setting is called where it was given: the variable, or the profile's key. */
export function nameOf(setting: Setting, variable: string, key: string): string {
  return setting(variable) === undefined ? `the profile’s ${key}` : variable;
}
