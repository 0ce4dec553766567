"""The service that most people would write: FastAPI, and pydub with ffmpeg in a process pool.

It converts an uploaded WAV to MP3, stores it on S3, and adds a row to Postgres. `bench/clips.py` runs it next to
PigWav, on the same Postgres and the same S3 server.

pip install --target /tmp/peers pydub
DATABASE_URL=... S3_ENDPOINT=... S3_ACCESS_KEY=... S3_SECRET_KEY=... S3_BUCKET=... \
    PYTHONPATH=/tmp/peers uvicorn --app-dir tests/bench/peers fastapi_pydub:app
"""

import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Annotated
from uuid import UUID, uuid4

import boto3
import imageio_ffmpeg
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response, UploadFile
from pydub import AudioSegment
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()

engine = create_engine(os.environ["DATABASE_URL"], pool_size=10)
bucket = os.environ["S3_BUCKET"]
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["S3_ENDPOINT"],
    aws_access_key_id=os.environ["S3_ACCESS_KEY"],
    aws_secret_access_key=os.environ["S3_SECRET_KEY"],
    region_name="us-east-1",
)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    token: Mapped[UUID] = mapped_column(unique=True)


class Record(Base):
    __tablename__ = "records"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    key: Mapped[str]
    size_bytes: Mapped[int]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    Base.metadata.create_all(engine)
    with ProcessPoolExecutor(os.cpu_count()) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


def session() -> Iterator[Session]:
    with Session(engine) as db:
        yield db


SessionDep = Annotated[Session, Depends(session)]


@app.post("/users")
def register(name: Annotated[str, Form()], db: SessionDep) -> dict[str, str | int]:
    user = User(name=name, token=uuid4())
    db.add(user)
    db.commit()
    return {"id": user.id, "name": user.name, "token": str(user.token)}


@app.post("/records", status_code=201)
def upload(
    request: Request,
    user_id: Annotated[int, Form()],
    token: Annotated[UUID, Form()],
    file: UploadFile,
    db: SessionDep,
) -> dict[str, str]:
    user = db.get(User, user_id)
    if user is None or user.token != token:
        raise HTTPException(401)
    db.rollback()  # gives the connection back while the WAV is converted
    mp3 = request.app.state.pool.submit(to_mp3, file.file.read()).result()
    record = Record(id=uuid4(), user_id=user_id, key=f"{user_id}/{uuid4()}.mp3", size_bytes=len(mp3))
    s3.put_object(Bucket=bucket, Key=record.key, Body=mp3, ContentType="audio/mpeg")
    db.add(record)
    db.commit()
    return {"id": str(record.id), "url": f"{request.base_url}record?id={record.id}&user={user_id}"}


@app.get("/record")
def download(id: UUID, user: int, db: SessionDep) -> Response:  # noqa: A002 - the query's name
    record = db.scalar(select(Record).where(Record.id == id, Record.user_id == user))
    if record is None:
        raise HTTPException(404)
    body = s3.get_object(Bucket=bucket, Key=record.key)["Body"].read()
    return Response(body, media_type="audio/mpeg")


def to_mp3(wav: bytes) -> bytes:
    """Runs in the process pool."""
    mp3 = BytesIO()
    AudioSegment.from_wav(BytesIO(wav)).export(mp3, format="mp3", bitrate="128k")
    return mp3.getvalue()
