"""The peer: the same steps as a plain pandas notebook does them, stage by stage.

Read, drop duplicates and rows without a customer, drop cancellations and bad prices, RFM, StandardScaler, K-Means for
k = 2…8 with its default tolerance and 10 starts, silhouette, four pictures. No netting, no audit, no stability, no names.

Usage: python benchmarks/notebook_pandas.py INPUT OUTPUT_FOLDER   (prints seconds per stage as JSON)
"""

import json
import sys
import time
from pathlib import Path


def main(source: str, folder: str) -> None:
    clock = time.perf_counter
    start = clock()
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from sklearn.preprocessing import StandardScaler

    seconds = {"start": clock() - start}

    start = clock()
    lines = pd.read_parquet(source) if source.endswith(".parquet") else pd.read_csv(source)
    lines["InvoiceDate"] = pd.to_datetime(lines["InvoiceDate"])
    seconds["read"] = clock() - start

    start = clock()
    lines = lines.drop_duplicates().dropna(subset=["CustomerID"])
    lines = lines[~lines["InvoiceNo"].astype(str).str.startswith("C")]
    lines = lines[(lines["Quantity"] > 0) & (lines["UnitPrice"] > 0)]
    lines["Amount"] = lines["Quantity"] * lines["UnitPrice"]
    seconds["clean"] = clock() - start

    start = clock()
    today = lines["InvoiceDate"].max() + pd.Timedelta(days=1)
    people = lines.groupby("CustomerID").agg(
        recency=("InvoiceDate", lambda dates: (today - dates.max()).days),
        frequency=("InvoiceNo", "nunique"),
        monetary=("Amount", "sum"),
    )
    seconds["count per customer"] = clock() - start

    start = clock()
    points = StandardScaler().fit_transform(people)
    inertias, scores, ks = [], [], range(2, 9)
    for k in ks:
        model = KMeans(k, n_init=10, random_state=42).fit(points)
        inertias.append(model.inertia_)
        scores.append(silhouette_score(points, model.labels_))
    people["cluster"] = KMeans(4, n_init=10, random_state=42).fit_predict(points)
    seconds["cluster"] = clock() - start

    start = clock()
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(1, 3, figsize=(15, 5))
    for axis, name in zip(axes, ["recency", "frequency", "monetary"], strict=True):
        sns.histplot(people[name], kde=True, ax=axis)
    figure.savefig(out / "rfm.png")
    for name, values in {"elbow": inertias, "silhouette": scores}.items():
        figure, axis = plt.subplots()
        axis.plot(list(ks), values, marker="o")
        figure.savefig(out / f"{name}.png")
    figure, axis = plt.subplots()
    sns.scatterplot(people, x="frequency", y="monetary", hue="cluster", ax=axis)
    figure.savefig(out / "clusters.png")
    seconds["figures"] = clock() - start

    start = clock()
    people.to_csv(out / "customers.csv")
    seconds["write"] = clock() - start
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
