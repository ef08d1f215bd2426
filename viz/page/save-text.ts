/** Hands bytes to the reader as a file. */
export const saveBlob = (name: string, blob: Blob): void => {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
};

/** Hands a text to the reader as a file. */
export const saveText = (name: string, type: string, text: string): void => saveBlob(name, new Blob([text], { type }));
