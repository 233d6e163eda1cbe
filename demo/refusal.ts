/** Why the demo does not begin, as a sentence for the person who typed it. */
export class Refusal extends Error {
  override name = "Refusal";
}
