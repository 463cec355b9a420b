declare module 'interlock:connector/log@0.3.0' {
  /**
   * Leaves a line. What an earlier run of the operation has said is not written again.
   */
  export function write(level: Level, message: string): void;
  /**
   * How much it matters.
   * # Variants
   * 
   * ## `"debug"`
   * 
   * ## `"info"`
   * 
   * ## `"warn"`
   * 
   * Somebody should look: a decline code that no table has, a reply of an unexpected shape.
   */
  export type Level = 'debug' | 'info' | 'warn';
}
