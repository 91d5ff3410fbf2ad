/** As forms of the Query protocol want it: encodeURIComponent leaves five characters that RFC 3986 reserves. */
export function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
