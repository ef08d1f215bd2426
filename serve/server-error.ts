export type ServerError =
  /** Another server has the folder. */
  | { readonly kind: 'folderInUse'; readonly folder: string }
  | { readonly kind: 'cannotListen'; readonly host: string; readonly port: number; readonly reason: string }
  /** The folder holds unfinished jobs of another model or another cut of mini-batches. */
  | { readonly kind: 'otherModel'; readonly folder: string; readonly before: string; readonly now: string }
  | { readonly kind: 'cannotStart'; readonly reason: string };

export const formatServerError = (error: ServerError): string => {
  switch (error.kind) {
    case 'folderInUse':
      return `another server has the folder ${error.folder}; stop it first, or choose another folder with --state`;
    case 'cannotListen':
      return `cannot listen on ${error.host}:${error.port}: ${error.reason}; choose another one with --port`;
    case 'otherModel':
      return `${error.folder} holds unfinished jobs of another experiment (${error.before}; this one: ${error.now}): finish or cancel them first, or choose another folder with --state`;
    case 'cannotStart':
      return error.reason;
  }
};
