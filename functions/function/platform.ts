/** What V2 metadata calls it. */
export const FUNCTION_PLATFORM = 'rouse_function';
