/** What JSDoc cannot say: a type that refers to itself. */

import type { Template } from "./template.js";

/**
 * A value of a JSON body. Members stand in the order in which an object has them (which JavaScript keeps, except that
 * names which are whole numbers come first); a member that is `undefined` is left out. Numbers are whole: amounts are
 * `bigint`, and what has a fraction is written as a string.
 */
export type Json = string | bigint | number | boolean | null | Template | Json[] | { [name: string]: Json | undefined };
