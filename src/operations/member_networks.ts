import * as z from "zod";
import { action, once, query } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { refOf } from "./trust.ts";

type Parts = Pick<Components, "plugins">;

const Id = once(() => z.coerce.number().int().min(1).max(65_535));
const Name = once(() => z.string().min(1).max(64));

/** Networks and who belongs to them. */
export const networkMembers = query({
  name: "network.members",
  summary: "The networks this daemon belongs to, and their members with their tags",
  input: () => z.strictObject({ id: Id().optional() }),
  output: () =>
    z.object({
      networks: z.array(z.object({
        id: z.number(),
        name: z.string(),
        members: z.array(z.object({ peer_id: z.string(), tags: z.array(z.string()) })),
      })),
    }),
  run: ({ id }, { plugins }: Parts) => ({
    networks: plugins.networks.list().filter((network) => id === undefined || network.id === id)
      .map(({ members, ...network }) => ({
        ...network,
        members: members.map(({ peerId, tags }) => ({ peer_id: peerId, tags: [...tags] })),
      })),
  }),
});

/** Begins a network. */
export const createNetwork = action({
  name: "network.create",
  summary: "Begin a network; whoever has its id and token may join",
  positional: ["name"],
  input: () => z.strictObject({ name: Name() }),
  output: () => z.object({ id: z.number(), name: z.string(), token: z.string() }),
  run: async ({ name }, { plugins }: Parts) => ({
    name,
    ...await plugins.networks.create(name),
  }),
});

/** Joins a network. */
export const joinNetwork = action({
  name: "network.join",
  summary: "Join a network by its id and token; trusted members hear of it at once",
  positional: ["id", "token"],
  input: () =>
    z.strictObject({
      id: Id(),
      token: z.string().min(16).max(256),
      name: Name().optional(),
    }),
  output: () => z.object({ id: z.number(), name: z.string() }),
  run: async ({ id, token, name = `network ${id}` }, { plugins }: Parts) => {
    await plugins.networks.join({ id, token, name });
    return { id, name };
  },
});

/** Leaves a network. */
export const leaveNetwork = action({
  name: "network.leave",
  summary: "Leave a network and forget its members",
  positional: ["id"],
  input: () => z.strictObject({ id: Id() }),
  output: () => z.object({ id: z.number() }),
  run: async ({ id }, { plugins }: Parts) => {
    await plugins.networks.leave(id);
    return { id };
  },
});

/** Tags a member. */
export const tagMember = action({
  name: "network.tag",
  summary: "Set the tags of a member, or of this daemon; policies see them",
  positional: ["id", "tags"],
  input: () =>
    z.strictObject({
      id: Id(),
      peer: z.string().max(128).optional().describe("this daemon when absent"),
      tags: z.array(z.string().max(64)).max(64),
    }),
  output: () => z.object({ id: z.number(), peer_id: z.string(), tags: z.array(z.string()) }),
  run: async ({ id, peer, tags }, { plugins, daemon }: Parts & Pick<Components, "daemon">) => {
    const peerId = peer === undefined ? daemon.peerId : plugins.names.resolve(refOf(peer));
    await plugins.networks.setTags(id, peerId, tags);
    return { id, peer_id: peerId, tags: [...plugins.networks.tagsOf(id, peerId)] };
  },
});
