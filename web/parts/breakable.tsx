/** Text with names too long for a line. */
import { Fragment, type JSX } from "preact";

/** The long names of settings break after a `_`, `.` or `=`, if they must. */
export function breakable(text: string): JSX.Element[] {
  return text.split(/(?<=[_.=])(?=[a-z\d])/).map((part, index) => (
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}
