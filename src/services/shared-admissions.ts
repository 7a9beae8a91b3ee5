/** Admissions that the other processes of this machine know of; a key stands for subject and track. */
export interface SharedAdmissions {
  /** False as well when nobody can be asked; never rejects. */
  isAdmitted(key: string): Promise<boolean>;
  /** Settles when the others know, or cannot be told; never rejects. */
  admit(key: string, ttlMs: number): Promise<void>;
}
