// Stores, searches, retrieves metadata and deletes with types generated of openapi.json: node typescript_client.js ROOT FILE UID
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type DataSet = components["schemas"]["DataSet"];

const [root, file, study] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: root, querySerializer: { object: { style: "form", explode: true } } });

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

// The answer is typed as JSON or, for clients that accept it, as the text of a multipart.
function datasets(data: DataSet[] | string | undefined): DataSet[] {
  return Array.isArray(data) ? data : [];
}

function first(dataset: DataSet | undefined, tag: string): unknown {
  return dataset?.[tag]?.Value?.[0];
}

const stored = await client.POST("/dicom-web/studies", {
  body: readFileSync(file) as unknown as string,
  bodySerializer: (body) => body,
  headers: { "Content-Type": "application/dicom" },
});
check(stored.response.status === 200, `store: ${stored.response.status}`);

const found = await client.GET("/dicom-web/studies", {
  params: { query: { keys: { StudyInstanceUID: study }, includefield: "StudyDescription", limit: 10 } },
});
check(first(datasets(found.data)[0], "0020000D") === study, `search: ${JSON.stringify(found.error ?? found.data)}`);

const metadata = await client.GET("/dicom-web/studies/{study}/metadata", { params: { path: { study } } });
check(datasets(metadata.data).length === 1, `metadata: ${metadata.response.status}`);
check(first(datasets(metadata.data)[0], "00080060") === "CT", "metadata: Modality");

const counted = await client.GET("/dicom-web/studies/count", { params: { query: { keys: { StudyInstanceUID: study } } } });
check(counted.data?.count === 1, `count: ${JSON.stringify(counted.data)}`);

const deleted = await client.DELETE("/dicom-web/studies/{study}", { params: { path: { study } } });
check(deleted.response.status === 204, `delete: ${deleted.response.status}`);

const missing = await client.GET("/dicom-web/studies/{study}/metadata", { params: { path: { study } } });
check(missing.error?.status === 404 && missing.error.title.length > 0, `problem: ${JSON.stringify(missing.error)}`);
console.log("done");
