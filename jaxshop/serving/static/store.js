"use strict";

const TAB = "\n"; // begins the name of what a tab had on show; no name that is typed does

/** Plans kept in this browser, by name; those of tabs survive a reload, and "" tells which of them was changed last. */
class PlanStore {
  #database = null;

  async #open() {
    this.#database ??= new Promise((resolve, reject) => {
      const request = indexedDB.open("jaxshop", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("plans", { keyPath: "name" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(new Problem({ title: "This browser keeps no plans", detail: request.error?.message }));
    });
    return this.#database;
  }

  async #run(mode, act) {
    const database = await this.#open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction("plans", mode);
      const request = act(transaction.objectStore("plans"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () =>
        reject(new Problem({ title: "The plan could not be kept in this browser", detail: transaction.error?.message }));
    });
  }

  save(plan) {
    return this.#run("readwrite", (plans) => plans.put(plan));
  }

  load(name) {
    return this.#run("readonly", (plans) => plans.get(name));
  }

  remove(name) {
    return this.#run("readwrite", (plans) => plans.delete(name));
  }

  #keys() {
    return this.#run("readonly", (plans) => plans.getAllKeys());
  }

  /** The names that were given. */
  async names() {
    return (await this.#keys()).filter((name) => name !== "" && !name.startsWith(TAB)).sort(naturally);
  }

  /** The names of what tabs had on show, the tab that was opened first before the others. */
  async tabs() {
    return (await this.#keys()).filter((name) => name.startsWith(TAB)).sort();
  }
}
