"use strict";

/** Plans kept in this browser, by name; the name "" is for the one that survives a reload. */
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

  /** The names, without that of the plan that survives a reload. */
  async names() {
    const keys = await this.#run("readonly", (plans) => plans.getAllKeys());
    return keys.filter((name) => name !== "").sort(naturally);
  }
}
