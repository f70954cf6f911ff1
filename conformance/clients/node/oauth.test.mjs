// ingot serve as a resource server of OAuth, driven by the TypeScript SDKs' own
// clients, which know nothing but the endpoint: they find the metadata and the
// issuer, log in, and come back.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as ClientV2, StreamableHTTPClientTransport as StreamableV2 } from '@modelcontextprotocol/client';
import { serve } from './serve.mjs';

const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An authorization server whose users always agree. asked is what it was asked for. */
class Issuer {
  #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #codes = new Map();
  asked = [];

  async start() {
    this.server = createServer((request, response) => this.#answer(request, response)).listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  /** The user, sent to the authorization endpoint: returns the code. */
  authorize(url) {
    assert.equal(url.origin + url.pathname, `${this.url}/authorize`);
    const code = randomUUID();
    this.#codes.set(code, url.searchParams);
    this.asked.push(url.searchParams);
    return code;
  }

  async #answer(request, response) {
    const url = this.url;
    const documents = {
      '/.well-known/oauth-authorization-server': {
        issuer: url, jwks_uri: `${url}/keys`, authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token`,
        response_types_supported: ['code'], grant_types_supported: ['authorization_code'], code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['none'],
      },
      '/keys': { keys: [{ ...this.#keys.publicKey.export({ format: 'jwk' }), kid: '1' }] },
    };
    let document = documents[request.url];
    if (request.url === '/token') document = this.#token(new URLSearchParams(await read(request)));
    response.writeHead(document ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  }

  #token(form) {
    const asked = this.#codes.get(form.get('code'));
    assert.equal(createHash('sha256').update(form.get('code_verifier')).digest('base64url'), asked.get('code_challenge'));
    assert.equal(form.get('resource'), asked.get('resource'));
    const claims = { iss: this.url, aud: form.get('resource'), sub: 'ada', scope: asked.get('scope'), exp: Math.floor(Date.now() / 1000) + 3600 };
    const text = `${part({ alg: 'ES256', kid: '1', typ: 'at+jwt' })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#keys.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    return { access_token: `${text}.${signature}`, token_type: 'Bearer', expires_in: 3600 };
  }
}

async function read(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

/** What the SDKs want of an application. */
class Provider {
  redirectUrl = 'http://127.0.0.1:1/callback';
  clientMetadata = { redirect_uris: [this.redirectUrl], token_endpoint_auth_method: 'none' };
  clientInformation = () => ({ client_id: 'test' });
  tokens = () => this.saved;
  saveTokens = tokens => { this.saved = tokens; };
  redirectToAuthorization = url => { this.sentTo = url; };
  saveCodeVerifier = verifier => { this.verifier = verifier; };
  codeVerifier = () => this.verifier;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

for (const [name, Client, Transport, options] of [
  ['version 1', ClientV1, StreamableV1],
  ['version 2, legacy', ClientV2, StreamableV2, { versionNegotiation: { mode: 'legacy' } }],
  ['version 2, modern', ClientV2, StreamableV2, { versionNegotiation: { mode: { pin: '2026-07-28' } } }],
]) {
  for (const path of ['', '/mcp']) {
    test(`TypeScript SDK ${name} logs in, for the audience ${path || 'of an origin'}`, async t => {
      const issuer = await new Issuer().start();
      const audience = `http://127.0.0.1:${await freePort()}`; // known before the server listens
      const { origin, stop } = await serve('--listen', new URL(audience).host, '--oauth-issuer', issuer.url, '--oauth-audience', audience + path, '--oauth-scope', 'mcp');
      const provider = new Provider();
      let client;
      t.after(async () => {
        await client?.close();
        await stop();
        issuer.server.closeAllConnections();
        issuer.server.close();
      });
      const connect = async () => {
        const transport = new Transport(new URL(`${origin}/mcp`), { authProvider: provider });
        client = new Client({ name: 'oauth-test', version: '1' }, options);
        try {
          await client.connect(transport);
        } catch (error) {
          return { error, transport };
        }
        return {};
      };
      const { error, transport } = await connect();
      assert.ok(provider.sentTo, `nobody was asked: ${error}`);
      await transport.finishAuth(issuer.authorize(provider.sentTo));
      const again = await connect();
      assert.equal(again.error, undefined);
      assert.ok((await client.listTools()).tools.length > 5);
      assert.equal(issuer.asked.length, 1);
      assert.deepEqual(issuer.asked[0].get('scope').split(' ').filter(scope => scope !== 'offline_access'), ['mcp']);
    });
  }
}
