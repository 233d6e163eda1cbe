import { conformanceTests, modelOfSample } from "./source-suite.ts";

conformanceTests("the model", modelOfSample);
