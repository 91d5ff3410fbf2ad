/** What goes wrong, and what to do about it. docs/troubleshooting.md shows it as it stands here. */
export const ADVICE = {
  setting: [
    'a setting is wrong',
    'correct what the line names; files are read again by the agent itself',
  ],
  region: ['no region is known', 'set --region or AWS_REGION'],
  taskRole: [
    'an ECS task without a task role',
    'give the task definition a taskRoleArn; its executionRoleArn only pulls images and writes logs',
  ],
  role: [
    'the role may not be assumed',
    'let its trust policy name who asks, and allow them sts:AssumeRole',
  ],
  ssoRole: [
    'SSO does not give that role',
    'correct sso_account_id and sso_role_name, or have the role assigned to the user',
  ],
  containerRefuses: [
    'the container’s endpoint gives no credentials',
    'give the task a taskRoleArn, or the service account its Pod Identity association',
  ],
  containerAway: [
    'the container’s endpoint does not answer',
    'see whether the ECS agent or the EKS Pod Identity agent runs there; its address comes from AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI',
  ],
  instanceRole: [
    'EC2 cannot give the instance’s role',
    'let the role’s trust policy name ec2.amazonaws.com, and see that its instance profile still has it',
  ],
  process: [
    'the credential_process fails',
    'run its command by hand, as the same user and with the same environment',
  ],
  hopLimit: [
    'instance metadata does not answer from a container',
    'raise HttpPutResponseHopLimit to 2, or give the container a role of its own',
  ],
  credentials: ['there are no credentials', 'see docs/credentials.md: where they come from'],
  issuer: [
    'what hands out credentials does not answer',
    'STS and SSO need a way there: a NAT gateway, a VPC endpoint (sts), or HTTPS_PROXY',
  ],
  login: ['the login has expired', 'run the command that the line names'],
  expired: [
    'the credentials have expired',
    'CloudWatch may refuse them until their source renews them: look at its health',
  ],
  unknownKey: [
    'the key is refused',
    'it was deleted, has expired, or belongs to another partition: bring a new one',
  ],
  signature: [
    'the signature is refused',
    'the secret key does not belong to the key id, or a proxy rewrites headers',
  ],
  name: [
    'the endpoint’s name has no address',
    'correct the region, or mend DNS: in a VPC, enableDnsSupport and enableDnsHostnames',
  ],
  endpoint: [
    'CloudWatch cannot be reached, but STS can',
    'the subnet lacks an interface endpoint com.amazonaws.REGION.monitoring, or its security group refuses port 443',
  ],
  wayOut: [
    'there is no way out of this network',
    'add a NAT gateway, VPC endpoints for monitoring and sts, or set HTTPS_PROXY',
  ],
  refusedPort: ['nothing listens at the endpoint', 'correct --endpoint-url or AWS_ENDPOINT_URL'],
  proxy: [
    'the proxy does not let us through',
    'correct HTTPS_PROXY, its user and password, or NO_PROXY',
  ],
  html: [
    'somebody other than AWS answers',
    'a proxy or a captive portal is in between: ask for an exception, or set NO_PROXY',
  ],
  trust: [
    'the certificate is not trusted',
    'name the authority of your proxy by --ca-bundle or AWS_CA_BUNDLE; where that is done, add its root to the file',
  ],
  certificateTime: [
    'the certificate is not valid now',
    'set this machine’s clock where that is off; otherwise have the certificate renewed',
  ],
  unverified: [
    'anybody could answer there',
    'unset NODE_TLS_REJECT_UNAUTHORIZED, and name the authority by --ca-bundle',
  ],
  noTls: ['no TLS is spoken there', 'correct https:// or the port of the endpoint or the proxy'],
  clock: [
    'the clock is off',
    'set it, e.g. by chrony; requests are signed by the corrected time meanwhile',
  ],
  sts: ['STS does not answer for it', 'publishing does not need STS: there is nothing to do'],
  denied: [
    'PutMetricData is not allowed',
    'add the statement in docs/credentials.md to the role’s policy, and mind its namespace',
  ],
  otlpKey: [
    'the OTLP endpoint refuses us',
    'give its key by --header NAME=VALUE, or sign what goes to AWS by --sign always',
  ],
  otlpPath: [
    'there is no OTLP for metrics as JSON',
    'correct the URL: /v1/metrics is appended; a collector’s port for HTTP is 4318, not 4317',
  ],
  publish: ['publishing failed', 'see the code in the line'],
} as const;

export type Advice = keyof typeof ADVICE;
