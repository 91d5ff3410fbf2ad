/** The strict loopback CloudWatch by itself, for any client: `npm run cloudwatch [port]`. */
import { reasonOf } from '../src/errors.ts';
import { CREDENTIALS, REGION, startCloudwatch } from '../test/support/service/cloudwatch.ts';
import { acceptedLines, refusedLine } from './lines.ts';

const DEFAULT_PORT = 4599;

const port = Number(process.argv[2] ?? DEFAULT_PORT);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  process.stderr.write(`port: got "${process.argv[2]}", expected 0 to 65535\n`);
  process.exit(2);
}

const cloudwatch = await startCloudwatch({
  port,
  onAccepted: (accepted) => process.stdout.write(acceptedLines(accepted)),
  onRefused: (refusal) => process.stdout.write(refusedLine(refusal)),
}).catch((thrown: unknown) => {
  process.stderr.write(`cannot listen: ${reasonOf(thrown)}\n`);
  process.exit(1);
});

process.stdout.write(`# CloudWatch listens on ${cloudwatch.url}
export AWS_ENDPOINT_URL_CLOUDWATCH=${cloudwatch.url}
export AWS_REGION=${REGION} AWS_DEFAULT_REGION=${REGION}
export AWS_ACCESS_KEY_ID=${CREDENTIALS.accessKeyId}
export AWS_SECRET_ACCESS_KEY=${CREDENTIALS.secretAccessKey}
unset AWS_SESSION_TOKEN AWS_PROFILE

`);

// With the server closed nothing keeps the process: it ends with 0 by itself.
process.once('SIGINT', () => cloudwatch.close());
process.once('SIGTERM', () => cloudwatch.close());
